const express = require("express");
const app = express();
app.post("/charge", (q, a) => setTimeout(() => a.status(200).end(), 20));
app.listen(9102, "127.0.0.1");
