"""Our books against a provider's bill: calls and lines are matched, and each difference is explained.

Reading (folders, exports, providers) is apart from matching and explaining, which are plain functions of values.
"""
