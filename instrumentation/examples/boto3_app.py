"""Puts a file into S3, and a message into a queue of SQS."""

import os

import boto3
import botocore.exceptions

SERVICE = os.environ["SERVICE_URL"]
ACCOUNT = {
    "endpoint_url": SERVICE,
    "region_name": "eu-north-1",
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}

files = boto3.client("s3", **ACCOUNT)
files.put_object(Bucket="people", Key="nora.lind@example.org", Body=b"nora.lind@example.org")
queue = boto3.client("sqs", **ACCOUNT)
queue.send_message(QueueUrl=f"{SERVICE}/people", MessageBody="nora.lind@example.org")
try:
    files.get_object(Bucket="people", Key="refused/nora.lind@example.org")
except botocore.exceptions.ClientError as error:
    print(type(error).__name__)
