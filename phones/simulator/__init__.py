"""The simulated provider: a process that knows nothing of smsapp but its callback addresses.

It takes messages over HTTP, stores them, and calls back until it is heard. No Django in it: `server`
answers, `behaviours` says what a number does, `store` keeps, `caller` calls back, and `wire` is the
little HTTP that both directions need.
"""
