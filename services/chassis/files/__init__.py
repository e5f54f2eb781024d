"""Tables as files: CSV, JSON lines and workbooks, streamed in pieces at constant memory."""
