"""A forward proxy that leads every host name to one port of this machine.

Key decision: clients that build addresses out of Salesforce's own domains (`https://login.salesforce.com`)
are led to the simulated org by the proxy setting that they have, without root and without touching their code;
TLS is between the client and the org, the proxy only moves bytes. Usage: `proxy.py PORT`; prints its address.
"""

import asyncio
import sys


async def move(reader, writer):
    """Copies until the sender ends."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def serve(reader, writer, port):
    """Answers one CONNECT and moves bytes both ways."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(move(reader, up_writer), move(up_reader, writer))
        up_writer.close()
    except (OSError, asyncio.IncompleteReadError):
        pass  # one side went away: so does the other
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(lambda r, w: serve(r, w, port), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
