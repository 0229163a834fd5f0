"""The console: a web application in which analysts look at explanations, and data scientists at cohorts.

It is a client of the service, which it calls over gRPC, and a reader of cohort files.
"""
