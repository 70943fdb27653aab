"""A gRPC server and its client in one program, without code made by protoc."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

METHOD = "/people.People/Read"


def read(request: bytes, context: grpc.ServicerContext) -> bytes:
    if request == b"nobody":
        context.abort(grpc.StatusCode.NOT_FOUND, "nobody is nora.lind@example.org")
    return request.upper()


async def call_later(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        print(len(await channel.unary_unary(METHOD)(b"nora.lind@example.org")))


def main(address: str) -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    reading = {"Read": grpc.unary_unary_rpc_method_handler(read)}
    service = grpc.method_handlers_generic_handler("people.People", reading)
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(address)
    server.start()
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(METHOD)(b"nobody")
        except grpc.RpcError as error:
            print(error.code())
    asyncio.run(call_later(address))
    server.stop(None)


main(sys.argv[1])
