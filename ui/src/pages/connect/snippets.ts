/** What to paste, for each way of sending events, with this server's address and the real collector id inside. */

export interface Snippet {
  title: string;
  language: "python" | "javascript" | "shell" | "json";
  code: string;
}

export interface Way {
  key: string;
  label: string;
  intro: string;
  steps: Snippet[];
  after?: string;
}

const INSTALL: Snippet = { title: "Install", language: "shell", code: "# in a clone of the Tollkeeper repository\npip install ." };

const IDENTITY = "Users come from the bearer token's “sub” claim by itself. Anything else: pass identify_user or identify_company.";

export function ways(address: string, collectorId: string): Way[] {
  const settings = `    application_id="${collectorId}",\n    url="${address}",`;
  return [...python(address, collectorId, settings), ...moesif(address, collectorId), ...others(address, collectorId)];
}

function python(address: string, id: string, settings: string): Way[] {
  const asgi = "from tollkeeper.capture.asgi import TollkeeperMiddleware";
  const wsgi = "from tollkeeper.capture.wsgi import TollkeeperMiddleware";
  return [
    {
      key: "fastapi", label: "FastAPI", intro: "One line after your app is made. Works the same for Starlette and Litestar.",
      steps: [INSTALL, { title: "Add the middleware", language: "python", code: `${asgi}\n\napp.add_middleware(\n    TollkeeperMiddleware,\n${settings}\n)` }],
      after: IDENTITY,
    },
    {
      key: "flask", label: "Flask", intro: "Wrap the WSGI application; blueprints and errors are seen too.",
      steps: [INSTALL, { title: "Wrap the app", language: "python", code: `${wsgi}\n\napp.wsgi_app = TollkeeperMiddleware(\n    app.wsgi_app,\n${settings}\n)` }],
      after: IDENTITY,
    },
    {
      key: "django", label: "Django", intro: "First in the list, so that it sees every answer. Works under WSGI and ASGI.",
      steps: [INSTALL, {
        title: "settings.py", language: "python",
        code: `MIDDLEWARE = [\n    "tollkeeper.capture.django.TollkeeperMiddleware",\n    # … yours\n]\n\nTOLLKEEPER = {\n    "application_id": "${id}",\n    "url": "${address}",\n}`,
      }],
      after: IDENTITY,
    },
    {
      key: "asgi", label: "Other ASGI", intro: "Quart, Django Channels, a bare ASGI function: wrap it where the server finds it.",
      steps: [INSTALL, { title: "Wrap the app", language: "python", code: `${asgi}\n\napp = TollkeeperMiddleware(\n    app,\n${settings}\n)` }],
      after: IDENTITY,
    },
    {
      key: "wsgi", label: "WSGI", intro: "Bottle, Pyramid, Falcon, anything that speaks PEP 3333.",
      steps: [INSTALL, { title: "Wrap the app", language: "python", code: `${wsgi}\n\napplication = TollkeeperMiddleware(\n    application,\n${settings}\n)` }],
      after: IDENTITY,
    },
  ];
}

function moesif(address: string, id: string): Way[] {
  return [
    {
      key: "node", label: "Node.js", intro: "The unmodified Moesif SDK, pointed here. Express, Koa, Nest and plain http work.",
      steps: [
        { title: "Install", language: "shell", code: "npm install moesif-nodejs" },
        {
          title: "Add the middleware", language: "javascript",
          code: `const moesif = require("moesif-nodejs");\n\napp.use(moesif({\n  applicationId: "${id}",\n  baseUri: "${address}",\n  identifyUser: (req) => req.auth && req.auth.sub,\n}));`,
        },
      ],
    },
    {
      key: "moesif-python", label: "Moesif for Python", intro: "Already on moesifasgi, moesifwsgi or moesifdjango? Change one setting and keep the rest.",
      steps: [{
        title: "Point the SDK here", language: "python",
        code: `moesif_settings = {\n    "APPLICATION_ID": "${id}",\n    "BASE_URI": "${address}",\n    # identify_user, mask_event, skip … stay as they are\n}`,
      }],
    },
  ];
}

function others(address: string, id: string): Way[] {
  const time = "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)";
  return [
    {
      key: "curl", label: "cURL", intro: "One event by hand, to see that the line is open.",
      steps: [{
        title: "Send one event", language: "shell",
        code: `curl ${address}/v1/events \\\n  -H "X-Moesif-Application-Id: ${id}" \\\n  -H "Content-Type: application/json" \\\n  -d '{"request": {"time": "'"${time}"'", "verb": "GET", "uri": "https://api.example.com/hello"},\n       "response": {"time": "'"${time}"'", "status": 200},\n       "user_id": "my-first-user"}'`,
      }],
    },
    {
      key: "krakend", label: "KrakenD", intro: "Paste the telemetry/moesif block of your gateway as it is; every option keeps its meaning.",
      steps: [
        {
          title: "krakend.json", language: "json",
          code: `{\n  "extra_config": {\n    "telemetry/moesif": {\n      "application_id": "${id}",\n      "user_id_headers": ["Authorization"],\n      "user_id_jwt_claim": "sub",\n      "identify_company": { "jwt_claim": "company_id" },\n      "log_body": false,\n      "event_queue_size": 1000000,\n      "batch_size": 1000,\n      "timer_wake_up_seconds": 1\n    }\n  }\n}`,
        },
        {
          title: "The same block for your own service", language: "python",
          code: `from tollkeeper.capture.asgi import TollkeeperMiddleware\n\napp = TollkeeperMiddleware(app, "krakend.json", url="${address}")`,
        },
      ],
    },
  ];
}

/** The event behind “Send a test request for me”. */
export function testEvent(now: Date, origin: string): Record<string, unknown> {
  return {
    request: { time: now.toISOString(), verb: "GET", uri: `${origin}/hello-tollkeeper?from=dashboard`, route: "/hello-tollkeeper", headers: { "user-agent": navigator.userAgent } },
    response: { time: new Date(now.getTime() + 12).toISOString(), status: 200, headers: { "content-type": "application/json" }, body: { message: "It works" } },
    user_id: "test-user",
    company_id: "test-customer",
    metadata: { test: true },
  };
}
