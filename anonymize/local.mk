# anonymize
