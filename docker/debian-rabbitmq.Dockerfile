# A RabbitMQ for tests out of a debootstrap root, where no image can be pulled; made by docker/import-image.
ARG BASE
FROM ${BASE}
RUN printf 'loopback_users = none\n' >/etc/rabbitmq/rabbitmq.conf \
 && rabbitmq-plugins enable --offline rabbitmq_management rabbitmq_shovel rabbitmq_shovel_management \
 && chown -R rabbitmq:rabbitmq /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq
USER rabbitmq
ENV HOME=/var/lib/rabbitmq
EXPOSE 5672 15672
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
