// The names that attributes have in a page, without their `wf-`.

/** Attributes that name a handler. */
export const EVENTS = [
  "click", "change", "change-finish", "submit", "keydown", "file-change", "webcam", "hashchange", "load", "tick",
];
/** Attributes that belong to others, or that the client sets. */
export const PARTS = ["key", "interval", "busy"];
