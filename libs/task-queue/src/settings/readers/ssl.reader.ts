import type { Reading } from '../setting-definition.interface.js';
import { readValue } from './value.reader.js';

const PYTHON_KEY = /^(?:ssl_|keyfile$|certfile$|ca_certs$|cert_reqs$)/;

/** Reads `broker_use_ssl`: a boolean, or options of Node's `tls.connect`. */
export function readSslOptions(raw: unknown): Reading {
  const boolean = readValue({ type: 'boolean', default: false }, raw);
  if ('value' in boolean) {
    return boolean;
  }
  const dict = readValue({ type: 'dict', default: {} }, raw);
  if ('problem' in dict) {
    return {
      problem:
        'is neither a boolean nor TLS options: write true, or for example ' +
        "{ ca: readFileSync('ca.pem') } (the options of Node's tls.connect).",
    };
  }
  const python = Object.keys(dict.value as object).find((key) => PYTHON_KEY.test(key));
  return python === undefined
    ? dict
    : {
        problem:
          `uses '${python}', an option of Python: write the options of Node's tls.connect, ` +
          'that is ca, cert and key with the contents of the files, and rejectUnauthorized.',
      };
}
