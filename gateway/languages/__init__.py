"""What customers and causes read, by language: the words of bills and notices, dates, numbers, and the letters of texts.

The answers to keywords are the operator's own, in config/keywords.yaml; `messaging.keywords.answers` fills them in.
"""
