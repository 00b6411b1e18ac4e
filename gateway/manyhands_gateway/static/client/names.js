// The names that attributes have in a page, without their `wf-`.

/** Attributes that name a handler. */
export const EVENTS = [
  "click", "change", "change-finish", "submit", "keydown", "file-change", "webcam", "hashchange", "load", "tick",
];
/** Attributes that name a path; `attr` and `class` go on with a colon. */
export const BINDINGS = ["text", "attr", "class", "show", "value", "model", "each"];
/** Attributes that belong to others, or that the client sets. */
export const PARTS = ["key", "interval", "busy"];
