#!/usr/bin/env python3
"""Looks at every page of a running registry as people do: see `run`, which prepares what is looked at.

The pages are loaded with script disabled, as they are made to work. axe-core is a script, so it runs in
contexts of its own where the pages' Content-Security-Policy is set aside.
"""

import argparse
import os
import re
import subprocess
import sys
from urllib.parse import urljoin, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}  # WCAG 2.2, 1.4.10: what 1280 pixels at 400 % zoom leave
COMMAND_TIMEOUT_SECONDS = 60
ADDRESSES_MAX = 500

passed = 0


def check(what, holds, detail=""):
    global passed
    if not holds:
        sys.exit(f"not ok - {what}: {detail}\n{passed} passed, 1 failed")
    passed += 1
    print(f"ok - {what}", flush=True)


def pages_to_see(arguments, request):
    """Every kind of page, by the name of its screenshot."""
    url = arguments.url
    listed = request.get(f"{url}/v1/statements/clear-signatures/signatories").json()["signatories"]
    party = {signatory["domain"]: signatory["party"] for signatory in listed}
    entry = {signatory["domain"]: signatory["entry"] for signatory in listed}
    endorsed = {signatory["domain"]: signatory["endorsed"] for signatory in listed}
    return {
        "home": "/",
        "statement": "/statements/clear-signatures",
        "statement-left": "/statements/clear-signatures?show=left",
        "statement-then": "/statements/clear-signatures?at=9",
        "party": f"/parties/{party['lighthouse-commons.example']}",
        "party-script": f"/parties/{party['script.example']}",
        "party-arabic": f"/parties/{party['aljisr.example']}",
        "domain": "/parties/marees.example",
        "entry-endorsed": f"/entries/{entry['script.example']}",
        "entry-withdrawn-later": f"/entries/{endorsed['marees.example']}",
        "entry-withdrawal": f"/entries/{entry['marees.example']}",
        "entry-first": "/entries/0",
        "check": "/check",
        "registry": "/registry",
        "problem-absent": "/entries/999999",
        "problem-query": "/statements/clear-signatures?at=0",
    }


class Watched:
    """A page of a context of its own, with everything noted that must not happen."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(base_url=url, accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.wrong = []
        origin = urlsplit(url).netloc
        self.page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"a script: {error}"))
        self.page.on("console", lambda message: self.note(message))
        self.page.on(
            "request",
            lambda request: urlsplit(request.url).netloc == origin
            or self.wrong.append(f"something from elsewhere: {request.url}"),
        )

    def note(self, message):
        # Chromium says so on the console of a page whose own status is an error, too.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(message.text)

    def see(self, path):
        response = self.page.goto(path)
        status = 404 if "999999" in path else 400 if path.endswith("at=0") else 200
        if response.status != status:
            self.wrong.append(f"status {response.status}")
        return response


OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll('body *')].filter(
    element => element.getBoundingClientRect().right > width + 1 && !element.closest('.skip'));
  return {scroll: document.scrollingElement.scrollWidth - width,
          wide: wide.slice(0, 3).map(element => element.outerHTML.slice(0, 200))};
}"""


def look(browser, arguments, pages):
    """Without script: loads, fits, stays here, and breaks no rule of its own policy."""
    for name, size in (("phone", PHONE), ("desk", DESK), ("narrow", NARROW)):
        for scheme in ("light", "dark"):
            if name == "narrow" and scheme == "dark":
                continue
            watched = Watched(
                browser, arguments.url, viewport=size, java_script_enabled=False, color_scheme=scheme
            )
            for page, path in pages.items():
                watched.see(path)
                found = watched.page.evaluate(OVERFLOW)
                if found["scroll"] > 0 or found["wide"]:
                    watched.wrong.append(f"wider than the window: {found}")
                if name != "narrow":
                    watched.page.screenshot(
                        path=f"{arguments.screenshots}/{page}-{name}-{scheme}.png", full_page=True
                    )
                check(f"{page} on a {name} in {scheme} colours, no script", not watched.wrong, watched.wrong)
            watched.context.close()


def measure(browser, arguments, pages):
    """axe-core finds nothing serious, in both colours and at both widths."""
    for name, size, scheme in (("phone", PHONE, "light"), ("desk", DESK, "dark")):
        watched = Watched(browser, arguments.url, viewport=size, bypass_csp=True, color_scheme=scheme)
        for page, path in pages.items():
            watched.see(path)
            found = Axe().run(watched.page).response["violations"]
            for violation in found:
                nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                print(f"   {violation['impact']}: {violation['id']} on {page}: {nodes}")
            serious = [violation["id"] for violation in found if violation["impact"] in ("serious", "critical")]
            check(f"axe finds nothing serious on {page}, {name}, {scheme}", not serious, serious)
        watched.context.close()
    # Its negative twin: axe does see what is wrong.
    watched = Watched(browser, arguments.url, bypass_csp=True)
    watched.see("/")
    watched.page.evaluate("document.querySelector('label').remove()")
    watched.page.evaluate("document.querySelector('input').removeAttribute('placeholder')")
    watched.page.evaluate("document.querySelector('main').innerHTML += '<img src=\"/x\">'")
    found = {violation["id"] for violation in Axe().run(watched.page).response["violations"]}
    check("axe finds what was broken on purpose", {"image-alt", "label"} <= found, found)
    watched.context.close()


NAMES = """domain => [...document.querySelectorAll('.party')]
  .filter(party => party.querySelector('.domain')?.textContent === domain)
  .map(party => { const name = party.querySelector('a bdi');
    return {text: name.textContent, children: name.children.length, lang: name.lang,
            direction: getComputedStyle(name).direction, beside: party.textContent}; })"""


def strangers(browser, arguments):
    """Names are shown as they are, as text, in their direction, with the domain beside them."""
    # With script: what a name could run would run here.
    watched = Watched(browser, arguments.url, viewport=DESK)
    for domain, text, lang, direction in (
        ("script.example", "<script>alert(1)</script>", "en", "ltr"),
        ("aljisr.example", "جمعية الجسر", "ar", "rtl"),
        ("hagesher.example", "אגודת הגשר", "he", "rtl"),
    ):
        for path in ("/statements/clear-signatures", f"/parties/{domain}"):
            watched.see(path)
            found = watched.page.evaluate(NAMES, domain)
            wanted = {"text": text, "children": 0, "lang": lang, "direction": direction}
            names = [{key: name[key] for key in wanted} for name in found]
            check(f"{text} is text on {path}", names and all(name == wanted for name in names), found)
            beside = all(domain in name["beside"] and "level 0" in name["beside"] for name in found)
            check(f"its domain and level stand beside it on {path}", beside, found)
    watched.see("/statements/clear-signatures")
    count = watched.page.locator("script").count() + watched.page.locator("main b").count()
    check("no name and no text has become an element", count == 0 and not watched.wrong, watched.wrong)
    directions = watched.page.evaluate(
        "() => [...document.querySelectorAll('.words[lang=ar] p')].map(p => getComputedStyle(p).direction)"
    )
    check("an Arabic text runs from right to left", directions and set(directions) == {"rtl"}, directions)
    watched.context.close()


def keyboard(browser, arguments):
    """Tab goes through everything, each stop can be seen, and the first one skips to the content."""
    watched = Watched(browser, arguments.url, viewport=DESK, java_script_enabled=False)
    watched.see("/statements/clear-signatures")
    stops = watched.page.evaluate("document.querySelectorAll('a[href], input, button, summary').length")
    focus = "() => { const e = document.activeElement, s = getComputedStyle(e);" \
            " return {tag: e.tagName, skip: e.className === 'skip', seen: s.outlineStyle !== 'none'," \
            " shown: e.getBoundingClientRect().left >= 0}; }"
    reached = 0
    for stop in range(stops + 1):
        watched.page.keyboard.press("Tab")
        found = watched.page.evaluate(focus)
        if found["tag"] == "BODY":
            break
        reached += 1
        if stop == 0 and not found["skip"]:
            watched.wrong.append("the first stop does not skip to the content")
        if not (found["seen"] and found["shown"]):
            watched.wrong.append(f"a stop that cannot be seen: {found}")
    hidden = watched.page.evaluate("document.querySelectorAll('details:not([open]) > :not(summary) a').length")
    check("every stop of the keyboard can be seen", not watched.wrong, watched.wrong)
    check("the keyboard reaches everything", reached == stops - hidden, f"{reached} of {stops - hidden}")
    watched.see("/")
    watched.page.keyboard.press("Tab")
    watched.page.keyboard.press("Enter")
    check("the skip link leads to the content", watched.page.url.endswith("#main"), watched.page.url)
    watched.page.get_by_label("Find").fill("marees.example")
    with watched.page.expect_navigation():
        watched.page.keyboard.press("Enter")
    check("the search leads to a page", watched.page.url.endswith("/parties/marees.example"), watched.page.url)
    watched.context.close()


def crawl(browser, arguments):
    """Every link of every page leads somewhere."""
    watched = Watched(browser, arguments.url, java_script_enabled=False)
    seen, waiting = set(), ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        check_here = len(seen) < ADDRESSES_MAX
        if not check_here:
            check("so small a registry has an end", False, len(seen))
        answer = watched.context.request.get(path, headers={"Accept": "text/html"})
        if answer.status != 200:
            check(f"{path} is there", False, answer.status)
        if answer.headers["content-type"].startswith("text/html"):
            for link in re.findall(r'href="([^"#]+)', answer.text()):
                link = link.replace("&#38;", "&").replace("&amp;", "&")
                target = urlsplit(urljoin(arguments.url + path, link))
                if target.netloc != urlsplit(arguments.url).netloc:
                    check(f"{path} leads nowhere else", False, link)
                waiting.append(target.path + (f"?{target.query}" if target.query else ""))
    check(f"all {len(seen)} addresses that pages lead to are there", True)
    watched.context.close()


def command(arguments, line, folder):
    environment = dict(os.environ, PATH=f"{os.path.dirname(arguments.binary)}:{os.environ['PATH']}")
    for name in ("UNDERSIGNED_REGISTRY", "UNDERSIGNED_POLICY"):
        environment.pop(name, None)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS,
    )


def receipt(browser, arguments):
    """The receipt that a page gives away verifies with the network off; an altered one does not."""
    watched = Watched(browser, arguments.url, java_script_enabled=False)
    watched.see("/statements/clear-signatures")
    watched.page.locator(".register tr", has_text="aljisr.example").get_by_role("link", name="entry").click()
    with watched.page.expect_download() as download:
        watched.page.get_by_role("link", name="Download the receipt").click()
    name = download.value.suggested_filename
    path = os.path.join(arguments.work, "downloaded", name)
    download.value.save_as(path)
    check("the receipt has a name of its own", re.fullmatch(r"[0-9]+\.tlog-proof", name), name)
    # In a network namespace without any interface, where the machine lets us make one.
    alone = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
        alone = []
    verify = [*alone, arguments.binary, "verify", path, "--policy", arguments.policy]
    said = subprocess.run(verify, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS)
    check("it verifies offline", said.returncode == 0 and "جمعية الجسر" in said.stdout, said.stdout + said.stderr)
    with open(path, "r+b") as file:
        middle = os.path.getsize(path) // 2
        file.seek(middle)
        byte = file.read(1)
        file.seek(middle)
        file.write(bytes([byte[0] ^ 1]))
    said = subprocess.run(verify, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS)
    check("altered, it does not", said.returncode == 1, said.stdout + said.stderr)
    watched.context.close()


def commands(browser, arguments):
    """The commands of the page "check it yourself" do what the page says, typed as they stand there."""
    watched = Watched(browser, arguments.url, java_script_enabled=False)
    watched.see("/check")
    blocks = watched.page.locator("pre").all_text_contents()
    folder = os.path.join(arguments.work, "typed")
    os.makedirs(folder)
    register = blocks[0].strip()
    check("the address is the one that was asked for", register == f"REGISTRY={arguments.url}", register)
    log_key = next(block.strip() for block in blocks if re.match(r"[^ ]+\+[0-9a-f]{8}\+", block.strip()))
    for block in blocks[1:]:
        for line in block.strip().replace("\\\n", " ").splitlines():
            # The tools of others are run by tests/interop; here only what prepares them.
            if not line.startswith(("undersigned", "curl")):
                continue
            said = command(arguments, f"{register}\n{line}", folder)
            check(f"typed: {line}", said.returncode == 0, said.stdout + said.stderr)
            if line.startswith("undersigned audit"):
                check("the audit is green", "GREEN" in said.stdout, said.stdout)
            if line.startswith("undersigned policy"):
                fingerprint = blocks[2].strip()
                check("the fingerprint is the page's", fingerprint in said.stdout, said.stdout)
            if line.startswith("undersigned export signature"):
                typed = re.search(r"^.*(?:ssh-keygen|openssl) .*$", said.stdout, re.MULTILINE)
                check("the export says how to check it", typed, said.stdout)
                said = command(arguments, typed.group().strip().removeprefix("check").strip(), folder)
                check("and that holds", said.returncode == 0, said.stdout + said.stderr)
    with open(os.path.join(folder, "log.key"), encoding="ascii") as file:
        check("the log key for other tools is the page's", file.read().strip() == log_key, log_key)
    watched.context.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "chromium", "binary", "policy", "work", "screenshots"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium, chromium_sandbox=os.getuid() != 0
        )
        request = playwright.request.new_context()
        pages = pages_to_see(arguments, request)
        request.dispose()
        strangers(browser, arguments)
        receipt(browser, arguments)
        commands(browser, arguments)
        crawl(browser, arguments)
        keyboard(browser, arguments)
        look(browser, arguments, pages)
        measure(browser, arguments, pages)
        browser.close()
    print(f"{passed} passed, 0 failed")


main()
