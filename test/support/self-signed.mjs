import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** @param {number} tag @param {...Buffer} parts - One DER element. */
function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : [0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

/** @param {...Buffer} parts */
const sequence = (...parts) => der(0x30, ...parts);
/** @param {string} hex - An object identifier, encoded already. */
const oid = (hex) => der(0x06, Buffer.from(hex, 'hex'));
/** @param {Date} date */
const time = (date) => der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`));
/** @param {Buffer} body */
const bits = (body) => der(0x03, Buffer.from([0]), body);

/**
 * A fresh self-signed certificate for 127.0.0.1 and localhost, valid for a day; its own authority.
 * @returns {{ key: string, cert: string }} PEM texts.
 */
export function selfSigned() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from('localhost')))));
  const now = Date.now();
  const validity = sequence(time(new Date(now - 60_000)), time(new Date(now + 86_400_000)));
  const addresses = sequence(
    der(0x82, Buffer.from('localhost')),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const extensions = sequence(
    sequence(oid('551d11'), der(0x04, addresses)),
    // basicConstraints: an authority, as it signs itself.
    sequence(oid('551d13'), der(0x04, sequence(der(0x01, Buffer.from([0xff]))))),
  );
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // A leading byte below 0x80 keeps the serial number positive.
    der(0x02, Buffer.concat([Buffer.from([0x4d]), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const certificate = sequence(content, ecdsaWithSha256, bits(sign('sha256', content, privateKey)));
  const text = certificate.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${text}-----END CERTIFICATE-----\n`,
  };
}
