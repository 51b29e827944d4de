import {Database} from '../engine/database.js';
import {AppI18n} from './i18n.js';
import {Jetson} from './jetson.js';
import {Offline} from './offline.js';
import {PhoneModel} from './phone-model.js';
import {Queue} from './queue.js';
import {Records} from './records.js';
import {Settings} from './settings.js';
import {Shell} from './shell.js';
import {PhotoWorkflow} from './workflow.js';
import {problem} from './views/problem.js';

/**
 * @typedef {object} App what the views work with
 * @property {Settings} settings
 * @property {AppI18n} i18n
 * @property {Jetson} jetson
 * @property {PhoneModel} model
 * @property {Queue} queue
 * @property {Records} records
 * @property {PhotoWorkflow} workflow
 * @property {Offline} offline
 */

/** @param {Settings} settings @param {AppI18n} i18n @returns {Promise<App>} */
async function assemble(settings, i18n) {
  const jetson = new Jetson(settings);
  const database = await Database.open('dermport-app', ['queue', 'records']);
  const queue = new Queue(database.store('queue'), jetson);
  const records = new Records(database.store('records'));
  const model = new PhoneModel(jetson, settings);
  const workflow = new PhotoWorkflow(model, queue, records, settings);
  return {settings, i18n, jetson, model, queue, records, workflow, offline: new Offline()};
}

/** @param {App} app */
async function start(app) {
  new Shell(document.body, app).show();
  app.jetson.watch();
  await app.offline.start();
  await app.model.start();
  await app.queue.start();
  await app.offline.keep(app.model.files);
}

const settings = new Settings();
const i18n = new AppI18n(settings);
try {
  await start(await assemble(settings, i18n));
} catch (error) {
  document.body.prepend(problem(i18n, error));
  throw error;
}
