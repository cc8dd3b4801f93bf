// Requests over HTTP, of a sink to the origins that its pipeline grants it.

import { encode, decoder } from './columns/text.js';
import { Failure, Retry } from './errors.js';

/** How much of an answer a message has. */
const TOLD = 300;

let send = () => {
  throw sendError('denied', 'nothing is sent outside a host; run the sink with `runSink`');
};

/** What sending throws. */
export function sendError(tag, val) {
  return Object.assign(new Error(val), { payload: { tag, val } });
}

/** Who sends from here on. */
export function sendThrough(host) {
  send = host;
}

/**
 * Sends a request and waits for the answer, whatever its status. Throws a `Retry` where there is none, and a `Failure` where the
 * pipeline does not grant the origin or this is no request.
 *
 * @param {string} url
 * @param {{ method?: string, headers?: Record<string, unknown>, body?: string | Uint8Array }} request
 */
export function request(url, { method = 'GET', headers = {}, body = '' } = {}) {
  const all = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  const bytes = typeof body === 'string' ? encode([body]).data : body;
  try {
    return new Response(send({ method, url, headers: all, body: bytes }));
  } catch (error) {
    const { tag, val } = error.payload ?? {};
    if (tag === 'unanswered') throw new Retry(val);
    if (tag === 'denied' || tag === 'invalid') throw new Failure(val);
    throw error;
  }
}

/** What came back. */
class Response {
  constructor({ status, headers, body }) {
    Object.assign(this, { status, headers, body });
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The body's text; null where it is no UTF-8. */
  text() {
    try {
      return decoder(this.body)(0, this.body.length);
    } catch {
      return null;
    }
  }

  /** A header's value, or null. */
  header(name) {
    return this.headers.find(([header]) => header === name.toLowerCase())?.[1] ?? null;
  }

  /** The answer, if it is 2xx. A receiver that is busy or broken is tried again; one that refuses stops the job. */
  accepted() {
    const { status } = this;
    if (this.ok) return this;
    if ([408, 425, 429].includes(status) || status >= 500) throw new Retry(this.#told());
    if (status >= 300 && status < 400) {
      const to = this.header('location') ?? 'an address that it does not tell';
      throw new Failure(`${this.#told()}, and so sends on to ${to}; nothing follows it there`);
    }
    throw new Failure(`the receiver refuses: ${this.#told()}`);
  }

  #told() {
    const words = (this.text() ?? '').split(/\s+/).filter(Boolean).join(' ').slice(0, TOLD);
    return `it answers ${this.status}${words && `: ${words}`}`;
  }
}
