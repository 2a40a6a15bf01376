"""What every wire format is made of: messages, streamed JSON, base64, server-sent events.

Pure: bytes come in and go out as arguments. Must not know sockets, files, clocks, models, prices or any one provider.
"""
