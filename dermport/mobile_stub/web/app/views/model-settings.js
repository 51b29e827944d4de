import {fill, h} from '../dom.js';
import {PRECISIONS} from '../phone-model.js';
import {reason} from './complaint.js';

/**
 * The phone's model: which it is, another precision, an update, the way back.
 * @param {import('../main.js').App} app
 * @param {AbortSignal} signal ends it
 * @returns {HTMLElement}
 */
export function modelSettings(app, signal) {
  const {words, model} = app;
  const facts = h('div', {});
  const said = h('p', {role: 'status'});
  const draw = async () => {
    const elements = await drawn(app, (text) => fill(said, text));
    if (!signal.aborted) fill(facts, elements);
  };
  model.addEventListener('change', draw, {signal});
  draw();
  return h('section', {class: 'card'}, h('h2', {}, words.say('model.title')), facts, said);
}

async function drawn(app, say) {
  const {words, model} = app;
  const [keyId, back] = await Promise.all([model.keyId(), model.hasPrevious()]);
  const update = button(words, 'update', async () => say(outcome(app, await model.update(), say)));
  const rollBack = button(words, 'roll-back', async () => {
    await model.rollBack();
    say(model.error ? reason(words, model.error) : words.say('model.updated', {version: named(model)}));
  });
  return [
    model.state !== 'ready' && h('p', {class: 'strong'}, words.say(`model.${model.state}`)),
    model.release && list(words, model),
    precision(app, say),
    keyId && h('p', {class: 'quiet'}, `${words.say('model.key')}: `, h('code', {}, keyId)),
    h('div', {class: 'actions'}, update, back && rollBack, model.error?.code === 'untrusted' && trust(app, say)),
  ];
}

function list(words, {release, proof}) {
  const {manifest} = release;
  const {runtime, selfTest} = proof;
  const change = words.percent(selfTest.maxChange);
  const test = words.say('model.self-test.passed', {photos: selfTest.photos, change});
  const rows = [
    ['version', `${manifest.name} ${manifest.version}`],
    ['runtime', `${runtime.name} ${runtime.version} (${runtime.accelerator})`],
    ['self-test', test],
  ];
  const row = ([key, value]) => [h('dt', {}, words.say(`model.${key}`)), h('dd', {}, value)];
  return h('dl', {class: 'facts'}, rows.map(row));
}

function precision(app, say) {
  const {words, settings, model} = app;
  const choose = async ({target}) => {
    settings.set({precision: target.value});
    say(outcome(app, await model.update(), say));
  };
  return h('div', {class: 'field'},
    h('label', {for: 'setting-precision', class: 'strong'}, words.say('model.precision')),
    h('select', {id: 'setting-precision', on: {change: choose}},
      PRECISIONS.map((name) => h('option', {value: name, selected: settings.values.precision === name}, name))));
}

/** What an update came to, in words; an older version is offered, not taken. */
function outcome(app, update, say) {
  const {words, model} = app;
  if (!update) return [words.say('model.kept', {why: ''}), reason(words, model.error)];
  if (update.changed) return words.say('model.updated', {version: named(model)});
  if (!update.older) return words.say('model.current');
  const take = button(words, 'older', async () => say(outcome(app, await model.update({allowOlder: true}), say)));
  return [words.say('model.older.offered', {version: update.version}), ' ', take];
}

function trust({words, model}, say) {
  return button(words, 'trust', async () => {
    if (!confirm(words.say('model.trust.sure'))) return;
    say(words.say('model.trusted', {key: await model.trust()}));
    await model.update();
  });
}

function named({release}) {
  return `${release.manifest.name} ${release.manifest.version}`;
}

function button(words, key, act) {
  return h('button', {type: 'button', on: {click: act}}, words.say(`model.${key}`));
}
