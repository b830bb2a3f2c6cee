"""Verification of transactions: policies, risk, cases and decisions."""
