"""Processes that run tasks for the server and that may end at any time without harming it.

The server's process is called the front, the others are called engines. `pool.EnginePool` is the front's side, and
`channel.Channel` is the engine's side. Nothing here knows what a task means: tasks, questions and results are bytes.
"""
