"""What a benchmark says of models: of one by class and by its confidence, of two on the same items, of its times.

Pure: labels, flags and numbers in, figures out. What is unknown is None, never NaN.
"""
