"""Texts to callers: SMS by Amazon SNS, e-mail by Amazon SES."""
