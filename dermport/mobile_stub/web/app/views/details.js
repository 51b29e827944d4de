import {h} from '../dom.js';

/**
 * Times, models, hashes: what a developer or a study needs.
 * @param {import('../words.js').Words} words
 * @param {object} record
 * @returns {HTMLElement}
 */
export function details(words, record) {
  const {phone, jetson, photo} = record;
  const {answer} = jetson;
  const rows = [
    row(words, 'time', times(words, phone.milliseconds), answer && there(words, jetson)),
    row(words, 'model', named(phone.model), answer && named(answer.server.model)),
    row(words, 'file', file(phone.model), answer && file(adapted(answer.server.model))),
    row(words, 'runtime', phone.runtime, answer?.server.runtime.name),
    row(words, 'preprocessing', phone.preprocessing, answer?.server.preprocessing),
    row(words, 'input', hash(phone.inputSha256), answer && arrived(words, answer)),
  ];
  return h('details', {class: 'card details'}, h('summary', {}, words.say('details.title')),
    h('dl', {}, rows, facts(words, record, photo)));
}

function row(words, key, phone, jetson) {
  return [h('dt', {}, words.say(`details.${key}`)),
    one(words, 'phone', phone),
    jetson && one(words, 'jetson', jetson)];
}

function one(words, who, text) {
  return h('dd', {class: 'of'}, h('span', {class: `swatch ${who}`}, words.say(`side.${who}`)), h('span', {}, text));
}

function facts(words, {jetson}, photo) {
  const {answer} = jetson;
  return [
    h('dt', {}, words.say('details.photo')),
    h('dd', {}, words.say('details.photo.size', photo)),
    answer && h('dd', {}, words.say(answer.photo_kept ? 'details.kept' : 'details.not-kept')),
    answer && [h('dt', {}, words.say('details.comparison')), h('dd', {}, h('code', {}, answer.id))],
  ];
}

function times(words, {prepare, infer}) {
  return words.say('details.time.phone', {prepare: words.duration(prepare), infer: words.duration(infer)});
}

function there(words, {answer, milliseconds}) {
  const total = words.duration(milliseconds);
  const served = answer.server.milliseconds;
  if (!served) return words.say('details.time.jetson', {total});
  const [prepare, infer] = [served.prepare, served.infer].map((one) => words.duration(one));
  return words.say('details.time.served', {total, prepare, infer});
}

function named({name, version, sha256}) {
  return [`${name} ${version} `, hash(sha256)];
}

function adapted({target, precision, artifact_sha256: artifactSha256}) {
  return {target, precision, artifactSha256};
}

function file({target, precision, artifactSha256}) {
  return [`${target} ${precision} `, hash(artifactSha256)];
}

function hash(sha256) {
  return h('code', {title: sha256}, sha256.slice(0, 12));
}

function arrived(words, {server, verdict}) {
  const [look, text] = verdict.same_input ? ['good', 'details.input.same'] : ['warn', 'details.input.other'];
  return [hash(server.input_sha256), ' ', h('span', {class: `tag ${look}`}, words.say(text))];
}
