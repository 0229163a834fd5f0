"""Bulk explanation of simulated accounts, beside a loop over the client and timeshap's global report."""
