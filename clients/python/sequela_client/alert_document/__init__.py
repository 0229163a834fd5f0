"""The document behind the page of one explanation, whether a service stores it or a cohort has it."""
