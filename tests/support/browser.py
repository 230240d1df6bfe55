"""Debian's Chromium, headless, driven through chromedriver."""
import contextlib
import re
import subprocess

from selenium import webdriver
from selenium.webdriver.remote.file_detector import UselessFileDetector

from children import stop

# Without the background's own requests, of which none could leave a closed network.
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-quic", "--no-first-run", "--window-size=900,1400")


@contextlib.contextmanager
def chromedriver():
    """Its address. It says itself which free port it has got."""
    with subprocess.Popen(["/usr/bin/chromedriver", "--port=0"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            said = iter(process.stdout.readline, "")
            found = (re.search(r"successfully on port (\d+)", line) for line in said)
            port = next(filter(None, found))[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


@contextlib.contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    with chromedriver() as address:
        driver = webdriver.Remote(address, options=options)
        driver.file_detector = UselessFileDetector()  # files are where the browser is
        try:
            yield driver
        finally:
            driver.quit()
