"""Calls to another API, captured by moesifpythonrequest. The first argument is that API's address."""

import logging
import os
import sys
import threading

import requests
from moesifpythonrequest.start_capture.start_capture import StartCapture

logging.basicConfig(level=logging.DEBUG)
StartCapture().start_capture_outgoing(
    {
        "APPLICATION_ID": os.environ["MOESIF_APPLICATION_ID"],
        "LOCAL_DEBUG": True,
        "LOCAL_MOESIF_BASEURL": os.environ["MOESIF_BASE_URI"],
        "IDENTIFY_USER_OUTGOING": lambda request, response: "alice",
        "IDENTIFY_COMPANY_OUTGOING": lambda request, response: "acme",
    }
)
for number in range(6):
    requests.get(f"{sys.argv[1]}/health/live?number={number}", timeout=10)
# Each call is sent by a thread of its own.
for thread in threading.enumerate():
    if thread is not threading.main_thread() and not thread.daemon:
        thread.join()
print("done")
