"""A far end to try against: an OAuth 2 server with Tangoe-style, ServiceNow-style and generic APIs.

Tests start it with `with Sandbox(SandboxOptions(rows=60)) as sandbox`; other processes with `python -m worker.sandbox`.
Nothing misbehaves unless told to. Three ways to tell it:

- `sandbox.fault(Fault(kind, path=..., times=..., after=...))` spoils single answers; kinds: faults.KINDS.
- `sandbox.trap(name=value, ...)` switches a habit on; the switches with their meaning: traps.Traps; `clear_traps()`.
- `sandbox.on_request(hook)`, `sandbox.after(k, path, act)`: call back in this process before a request is answered, for
  instance to delete a row between two pages. Hooks get the call log's record of the request and may use every control.

Rows change by `insert update touch delete churn` (`silent=True`: no stamp; `at=`: another stamp than now) and are seen
by `rows ids counts`; `transform_map purge_staged expire_sync_tokens most_at_once` belong to single APIs. All of it is
also served as JSON below /_sandbox; GET /_sandbox lists the pages.

The generic API stands below /generic/v1 (bearer of the Tangoe-style or ServiceNow-style server), /idp/api (bearer
of the IdP, scope read), /basic (HTTP basic) and /key (API key). Its items have 12 fields; `owner` is an object, `tags`
a list.

    GET    /items           style=page (page, per_page) | offset (offset, limit) | link (Link header, page, per_page)
                            | next_url (`next`) | token (`next_token` to cursor=) | none; updated_since=; `data.items`
    GET    /devices         the same for 15-field devices, below /generic/v1 only; `data.devices`
    GET    /items/{id}      `data`; 404
    GET    /items/lookup    external_id=X, or any other member; `data.items`, empty for none
    POST   /items           201; PUT, PATCH, DELETE /items/{id}; Idempotency-Key; `!error` as a value: 422
    POST   /items/batch     {"items": [...]}: 200 with `results`, each `status` created | updated | error
    GET    /items.ndjson    and /items.csv: page, per_page, Link header
    POST   /search          {"filter": {"status": "open", "updated_at": {"gte": ...}}, "limit", "offset" | "cursor"};
                            `data`, `total`, `next_offset`, `next_cursor`
    GET    /feed            page_size, page_token | sync_token; `items`, `next_page_token` or, at the end,
                            `next_sync_token`; deletions as {"id", "deleted": true}; 410 when it ran out
    POST   /feed/query      the same in a JSON body
    GET    /keyset          after_id, limit: by id; since, after_id: by (updated_at, id); `items`, `has_more`
    GET    /slices          from <= updated_at < to; page, per_page; `items`, `pages`, `total`
    GET    /orders          limit, offset; `items`; GET /orders/{id}/lines: page, per_page; `items`, `pages`, maybe none
    GET    /settings        one object

Tangoe-style, below /mobproc/v1: /employees, /assets/devices, /assets/services, /orders (offsets snap to the page), each
with /{id}; POST /orders (`confirm`; 200 with status ERROR; externalOrderNumber protects from nothing).

ServiceNow-style, below /api/now, also with v1 and v2: /table/{table} of incident, cmdb_ci, sys_user, u_plain (without
sys_updated_on), sys_audit_delete, sys_import_set, sys_import_set_row and every staging table (its staged rows) or
target of a transform map; POST /import/{staging}, /import/{staging}/insertMultiple, GET /import/{staging}/{sys_id}.
Without a map, rows go to a target table of the staging table's name, matched by u_serial or u_id: see `rows(staging)`.
"""
