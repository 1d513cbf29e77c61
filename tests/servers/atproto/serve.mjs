// A PLC directory and a PDS (AT Protocol's reference implementations) on loopback.
// Prints one JSON line when both answer, and ends when its standard input closes, so that no
// server outlives the test that started it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as plc from '@did-plc/server';
import { PDS, envToCfg, envToSecrets } from '@atproto/pds';

const [plcPort, pdsPort, publicUrl] = [+process.argv[2], +process.argv[3], process.argv[4]];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pds-'));
const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: plcPort });
await directory.start();
const secret = () => crypto.randomBytes(32).toString('hex');
const env = {
  devMode: true,
  port: pdsPort,
  hostname: 'localhost',
  dataDirectory: folder,
  blobstoreDiskLocation: path.join(folder, 'blobs'),
  didPlcUrl: `http://localhost:${plcPort}`,
  adminPassword: 'admin-of-the-tests',
  jwtSecret: secret(),
  serviceHandleDomains: ['.test'],
  inviteRequired: false,
  disableSsrfProtection: true,
  plcRotationKeyK256PrivateKeyHex: secret(),
  bskyAppViewUrl: publicUrl,
  bskyAppViewDid: 'did:example:front',
};
const config = envToCfg(env);
config.service.publicUrl = publicUrl;
const pds = await PDS.create(config, envToSecrets(env));
await pds.start();
console.log(JSON.stringify({ ready: true, plc: plcPort, pds: pdsPort }));

let ending = false;
const end = async () => {
  if (ending) return;
  ending = true;
  await pds.destroy();
  await directory.destroy();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
};
process.stdin.on('end', end);
process.stdin.on('error', end);
process.on('SIGTERM', end);
process.stdin.resume();
