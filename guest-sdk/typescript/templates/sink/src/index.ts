// Tells somebody of hot sensors: a line each, posted to an address.

import { request, sink } from 'weir-guest';

export default sink({
  // What is read of a row. Other columns do not cross into the sandbox.
  reads: { sensor: 'utf8', value: 'float64' },
  // The sink's `config` in the pipeline file: where to. The pipeline must grant it: `allow = ["http://HOST:PORT"]`.
  config: { url: 'http://localhost:8080/alarms' },

  write({ part, rows }, { url }) {
    let body = '';
    for (const { sensor, value } of rows) {
      if (Number.isNaN(value)) rows.reject('not a number');
      else body += `${sensor}: ${value}\n`;
    }
    if (!body) return;
    // The same rows come under the same part, so the receiver can tell when it has them already.
    request(url, { method: 'POST', headers: { 'Idempotency-Key': part }, body }).accepted();
  },
});
