"""What several verdicts say together: of factors, of conditions, of compute, of costs."""
