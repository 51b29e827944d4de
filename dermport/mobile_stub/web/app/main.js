import {Jetson} from './jetson.js';
import {Offline} from './offline.js';
import {PhoneModel} from './phone-model.js';
import {Queue} from './queue.js';
import {Records} from './records.js';
import {Settings} from './settings.js';
import {openShelves} from './shelf.js';
import {Shell} from './shell.js';
import {Trials} from './trials.js';
import {complaint} from './views/complaint.js';
import {Words} from './words.js';

/**
 * @typedef {object} App what the views work with
 * @property {Settings} settings
 * @property {Words} words
 * @property {Jetson} jetson
 * @property {PhoneModel} model
 * @property {Queue} queue
 * @property {Records} records
 * @property {Trials} trials
 * @property {Offline} offline
 */

/** @param {Settings} settings @param {Words} words @returns {Promise<App>} */
async function assemble(settings, words) {
  const jetson = new Jetson(settings);
  const shelves = await openShelves();
  const queue = new Queue(shelves.queue, jetson);
  const records = new Records(shelves.records);
  const model = new PhoneModel(jetson, settings);
  const trials = new Trials(model, queue, records, settings);
  return {settings, words, jetson, model, queue, records, trials, offline: new Offline()};
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
const words = new Words(settings);
try {
  await start(await assemble(settings, words));
} catch (error) {
  document.body.prepend(complaint(words, error));
  throw error;
}
