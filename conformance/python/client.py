"""python-socketio, driven line by line: see lib/driven.mjs. Takes URL, namespace, transports and auth."""

import asyncio
import base64
import json
import sys

import aiohttp
import socketio
from engineio.payload import Payload

# By default the library refuses a poll of more than 16 packets. This is the way that its documentation names.
Payload.max_decode_packets = 10_000


def say(what, value):
    print(json.dumps({what: value}), flush=True)


def pack(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [pack(part) for part in value]
    if isinstance(value, dict):
        return {key: pack(part) for key, part in value.items()}
    return value


def unpack(value):
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: unpack(part) for key, part in value.items()}
    return value


async def note_coding(_session, _context, ended):
    coding = ended.response.headers.get("content-encoding")
    if coding is not None:
        say("coding", coding)


async def main(url, namespace, transports, auth):
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note_coding)
    session = aiohttp.ClientSession(trace_configs=[trace])
    client = socketio.AsyncClient(http_session=session, reconnection_delay=0.05, reconnection_delay_max=0.2)

    @client.on("connect", namespace=namespace)
    async def connected():
        say("connect", client.get_sid(namespace))

    @client.on("connect_error", namespace=namespace)
    async def failed(error):
        say("error", error if isinstance(error, dict) else {"message": str(error)})

    @client.on("disconnect", namespace=namespace)
    async def lost(reason):
        say("disconnect", str(reason))

    @client.on("*", namespace=namespace)
    async def heard(event, *args):
        say("event", [event, *pack(args)])
        return args

    await client.connect(url, auth=auth, transports=transports, namespaces=[namespace], wait=False)
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        if "leave" in told:
            break
        number, event, *args = told["ask"] if "ask" in told else [None, *told["emit"]]
        answered = None
        if number is not None:
            answered = lambda *answer, number=number: say("answer", [number, *pack(answer)])
        await client.emit(event, tuple(unpack(args)), namespace=namespace, callback=answered)
    await client.disconnect()
    await session.close()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), json.loads(sys.argv[4])))
