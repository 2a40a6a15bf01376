"""The books of a gateway: jobs that clients asked for, and what was bought for each, in one shared database."""
