"""A stand-in for Grafana's image, which cannot be built here: it answers its health check only."""

import subprocess

_BUILT_WITHIN_S = 120
_RECIPE = """\
FROM {base}
CMD ["python3", "-c", "\\
from http.server import *\\n\\
class Health(BaseHTTPRequestHandler):\\n\\
    def do_GET(self):\\n\\
        self.send_response(200 if self.path == '/api/health' else 404)\\n\\
        self.end_headers()\\n\\
        self.wfile.write(b'not Grafana: a stand-in of a test')\\n\\
HTTPServer(('', 3000), Health).serve_forever()"]
"""


def grafana(python: str) -> str:
    """Build it with the main engine from the image `python`; return its name."""
    name = "glasshouse/grafana-stand-in:tests"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        input=_RECIPE.format(base=python).encode(),
        capture_output=True,
        check=True,
        timeout=_BUILT_WITHIN_S,
    )
    return name
