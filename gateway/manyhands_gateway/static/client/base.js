// Where the client came from: what it connects to lies beside it.

export const BASE = import.meta.url;
