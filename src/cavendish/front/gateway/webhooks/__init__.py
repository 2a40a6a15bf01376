"""Webhooks: ended jobs told to whoever asked to be told, as the Standard Webhooks specification says."""
