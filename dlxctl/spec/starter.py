"""The commented topology.yaml that `dlxctl init` writes; it passes `check` as it is."""

STARTER = """\
# What this application needs on RabbitMQ: work queues, the delays through which their failures are retried, and where
# what still fails comes to rest.
#   dlxctl check     is this file sound?          dlxctl plan     what would apply change?
#   dlxctl apply     make the broker so           dlxctl celery   the Celery configuration that goes with it
# For completion in editors: dlxctl schema > topology.schema.json
# yaml-language-server: $schema=./topology.schema.json
version: 1
topology: app                     # owner name; marks on the broker what this file manages
vhost: ${DLXCTL_VHOST:-/}         # ${NAME} and ${NAME:-default} work in every value

retry:                            # retry ladders, by name
  standard:
    delays: [10s, 1m, 10m]        # strictly growing: ms s m h d
    attempts: 5                   # retries before the message dies; the last delay repeats

dead_letter:                      # dead-letter queues, by name
  dead_letter:
    retention: 14d                # optional: then a message moves to `parking`
    parking: dead_letter.parked

defaults:                         # for queues that do not say otherwise
  type: quorum                    # quorum | classic
  retry: standard
  dead_letter: dead_letter

queues:                           # work queues, by name
  default:
    delivery_limit: 20            # how often a task may kill its worker; not failures of the task
  # reports:
  #   delivery_limit: 3
  #   max_length: 100000          # when it is full, publishers are refused rather than tasks dropped
  #   consumer_timeout: 2h        # longer than the longest task (RabbitMQ 4.0 and later)
  #   tasks: ["app.reports.*"]    # Celery tasks that are routed here
  # thumbnails:
  #   type: classic
  #   priority: 10                # highest message priority; classic queues only

# exchanges:                      # only those that applications publish to
#   app.events: {type: topic}     # bind a queue: bindings: [{exchange: app.events, routing_key: "order.#"}]

celery: {default_queue: default}  # where tasks without a route go
"""
