"""`dlxctl doctor`, its decisions: what becomes of each failure of each task, and what else is wrong with an app.

Pure: values in, values out; Celery is imported by `dlxctl.celery.worker.examine` alone, in a process of its own.

    values      what is known of an app
    outcomes    how a task can fail, and how that can end
    steps       what Celery's worker does with the message, by configuration: the tables
    rest        where a queue's rejected messages come to rest on the broker
    fates       both together: outcome -> fate
    rules       what doctor finds, with codes
    examination all of it for one app
"""
