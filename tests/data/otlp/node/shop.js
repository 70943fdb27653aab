// The recorded service: express, a database by pg, a call to another service by http.
const express = require("express");
const http = require("node:http");
const { Pool } = require("pg");
const log = require("pino")();
const pool = new Pool({ connectionString: process.env.DATABASE });
const app = express();
const lookup = (_n, o, cb) => o.all ? cb(null, [{address: "127.0.0.1", family: 4}]) : cb(null, "127.0.0.1", 4);
const charge = (amount) => new Promise((ok, bad) => {
  const r = http.request({ host: "payments.internal", port: 9102, path: "/charge", method: "POST", lookup }, (a) => { a.resume(); a.on("end", () => ok(a.statusCode)); });
  r.on("error", bad); r.end(String(amount));
});
app.get("/books/:id", async (q, a) => { const r = await pool.query("SELECT title FROM books WHERE id = $1", [q.params.id]); r.rows.length ? a.json(r.rows[0]) : a.status(404).end(); });
app.post("/orders", async (q, a) => { await pool.query("INSERT INTO orders (book) VALUES ($1)", [1]); const s = await charge(12); log.info("an order was paid"); a.status(s === 200 ? 201 : 502).end(); });
app.get("/broken", (q, a) => { log.error("the shelf is gone"); a.status(500).end(); });
app.get("/slow", async (q, a) => { await new Promise((ok) => setTimeout(ok, 700)); a.end(); });
app.listen(9101, "127.0.0.1");
