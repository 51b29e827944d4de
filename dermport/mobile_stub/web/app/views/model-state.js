import {fill, h} from '../dom.js';
import {reason} from './complaint.js';

/**
 * One line on the phone's model; more where something is wrong.
 * @param {import('../main.js').App} app
 * @param {AbortSignal} signal ends it
 * @returns {HTMLElement}
 */
export function modelState({model, words}, signal) {
  const line = h('div', {class: 'model-state', 'aria-live': 'polite'});
  const tell = () => fill(line, ...(model.state === 'ready' ? ready(model, words) : notReady(model, words)));
  model.addEventListener('change', tell, {signal});
  tell();
  return line;
}

function ready({release, proof}, words) {
  const {manifest, artifact} = release;
  const parts = [`${manifest.name} ${manifest.version}`, artifact.precision, proof.runtime.accelerator];
  return [h('p', {}, h('span', {class: 'dot reachable'}), `${words.say('model.title')}: ${parts.join(' · ')}`)];
}

function notReady(model, words) {
  const text = words.say(`model.${model.state}`);
  if (model.state !== 'missing' && model.state !== 'failed') {
    return [h('p', {class: 'busy'}, h('span', {class: 'spinner'}), text)];
  }
  const retry = h('button', {on: {click: () => (model.state === 'failed' ? location.reload() : model.update())}},
    words.say('model.retry'));
  return [h('div', {class: 'card'},
    h('p', {class: 'strong'}, text),
    model.error && h('p', {}, reason(words, model.error)),
    h('div', {class: 'actions'}, retry))];
}
