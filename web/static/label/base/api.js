/**
 * Requests to the server. Every address is relative to the page's own, so that the page works
 * through tunnels and proxies. What the server sends is data: it is shown as text nodes.
 */

/** An answer that is no success. */
export class ApiError extends Error {
  /**
   * @param {number} status the HTTP status; 0 when nobody answered
   * @param {string} message one sentence
   * @param {string} hint the way out, or ""
   * @param {any} answer the whole JSON answer, or null
   */
  constructor(status, message, hint, answer) {
    super(message);
    this.status = status;
    this.hint = hint;
    this.answer = answer;
  }
}

/** The address of an endpoint below `label/api/`, of path parts that are encoded here.
 * @param {(string|number)[]} parts @param {Record<string, any>} [query] */
export function address(parts, query = {}) {
  const path = ["api", ...parts].map((part) => encodeURIComponent(part)).join("/");
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const asked = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return asked ? `${path}?${asked}` : path;
}

/** Ask and return the JSON answer; raises ApiError.
 * @param {string} where @param {RequestInit} [options] @returns {Promise<any>} */
export async function ask(where, options = {}) {
  let answer;
  try {
    answer = await fetch(where, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.", "Is batman serve still running, and the tunnel to it open?", null);
  }
  let content;
  try {
    content = await answer.json();
  } catch {
    content = undefined; // a page of the door, or a proxy's
  }
  if (answer.ok && (content !== undefined || answer.status === 204)) return content ?? null;
  if (answer.ok) throw new ApiError(502, "Something between here and the server answered in its place.", "Log in at the proxy again, in another tab.", null);
  if (answer.status === 401) {
    throw new ApiError(401, "The server was started anew, and this page's link is no longer valid.",
      "Open the link that batman serve printed. What waits here is kept, and is saved then.", content);
  }
  throw new ApiError(answer.status, content?.error || `The server answered ${answer.status}.`, content?.hint || "", content);
}

/** @param {(string|number)[]} parts @param {Record<string, any>} [query] @param {AbortSignal} [signal] */
export const get = (parts, query, signal) => ask(address(parts, query), { signal });

/** @param {string} method @param {(string|number)[]} parts @param {any} body */
export const send = (method, parts, body = {}) =>
  ask(address(parts), { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** @param {(string|number)[]} parts @param {any} [body] */
export const post = (parts, body) => send("POST", parts, body);
