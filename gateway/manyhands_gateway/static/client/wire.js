// The words of the wire, as shared/manyhands/wire.py spells them. A test compares the two.

export const SUBPROTOCOLS = { json: "manyhands.1.json", msgpack: "manyhands.1.msgpack" };
/** The key under which JSON carries bytes, as base64. */
export const BYTES_KEY = "$bytes";
/** The key of a map that stands for a large view, which is fetched over HTTP. */
export const BLOB_KEY = "$blob";
/** The key of a map that stands for bytes which were uploaded. */
export const UPLOAD_KEY = "$upload";

export const Type = {
  HELLO: "hello", EVENT: "event", CANCEL: "cancel", WELCOME: "welcome", ACCEPTED: "accepted", UPDATE: "update",
  REJECTED: "rejected", LOG: "log", RESTART: "restart",
};

export const Close = { TOO_BIG: 1009, PROTOCOL: 4000, SESSION_UNKNOWN: 4001, REFUSED: 4003 };

export const Rejection = { UNKNOWN_HANDLER: "unknown_handler", NO_WORKER: "no_worker", PAYLOAD_TOO_LARGE: "payload_too_large" };

export const Failure = { CANCELLED: "cancelled" };

/** @typedef {{[key: string]: any}} Dict */
/** @typedef {{code: string, message: string}} Failing */
