"""What apply would change, and why: desired against observed topology. Pure: values in, a `Plan` out.

`make.plan_for` is the way in; `changes` has the closed set of changes.
"""
