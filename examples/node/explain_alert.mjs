// Explains an alert over gRPC: a deadline, retries by the service config, and errors that say what to do.
//
//   $ npm install
//   $ node explain_alert.mjs localhost:50051 ../../service/sequela/demo/alerts/takeover-20.json

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const options = { keepCase: true, longs: Number, arrays: true };
const contract = loadSync(path("../../proto/sequela/v1/sequela.proto"), options);
const { sequela } = grpc.loadPackageDefinition(contract);

export function connect(address) {
  // With TLS: grpc.credentials.createSsl(readFileSync("ca.pem")).
  return new sequela.v1.ExplanationService(address, grpc.credentials.createInsecure(), {
    "grpc.service_config": readFileSync(path("../service_config.json"), "utf8"),
    "grpc.keepalive_time_ms": 60_000,
    "grpc.max_receive_message_length": 64 << 20,
    "grpc.max_send_message_length": 64 << 20,
  });
}

export function explain(client, request, seconds) {
  const metadata = new grpc.Metadata();
  // With tokens: metadata.set("authorization", `Bearer ${token}`).
  const options = { deadline: Date.now() + seconds * 1000 };
  return new Promise((resolve, reject) => {
    client.Explain(request, metadata, options, (error, answer) => {
      error ? reject(error) : resolve(answer.explanation);
    });
  });
}

// What is read of google.rpc.Status, which gRPC sends as metadata, and of its details.
const details = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { repeated Any details = 3; }
  message ErrorInfo { string reason = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`).root;

// The reason of an error, and after how many seconds another attempt may help; undefined where the server did not say.
export function facts(error) {
  const found = { reason: undefined, retryAfter: undefined };
  const [status] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!status) return found;
  for (const each of details.lookupType("Status").decode(status).details) {
    const name = each.typeUrl.split("google.rpc.").at(-1);
    if (name === "ErrorInfo") found.reason = details.lookupType(name).decode(each.value).reason;
    if (name === "RetryInfo") {
      const { seconds, nanos } = details.lookupType(name).decode(each.value).retryDelay;
      found.retryAfter = Number(seconds) + nanos / 1e9;
    }
  }
  return found;
}

function tensor(rows) {
  return { shape: [rows.length, rows[0].length], numbers: rows.flat() };
}

function requestOf(alert) {
  const inputs = Object.entries(alert.inputs).map(([name, rows]) => ({ name, tensor: tensor(rows) }));
  return { model: { name: "account_takeover" }, sequence: { inputs }, caller_id: alert.id };
}

async function main(address, file) {
  const client = connect(address);
  const alert = JSON.parse(readFileSync(file, "utf8"));
  try {
    const explanation = await explain(client, requestOf(alert), 5);
    console.log(`${alert.id}: score ${explanation.targets[0].score.toFixed(2)}`);
    for (const reason of explanation.reasons) console.log(`  ${reason.text}`);
  } catch (error) {
    if (error.code === undefined) throw error;
    const { reason, retryAfter } = facts(error);
    const again = retryAfter === undefined ? "" : `; try again in ${retryAfter.toFixed(1)} s`;
    console.error(`${grpc.status[error.code]} ${reason ?? ""}: ${error.details}${again}`);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(...process.argv.slice(2));
