import {fill, h} from '../../lib/dom.js';
import {Camera, hasCamera} from '../camera.js';
import {icon} from '../icons.js';
import {problem, reason} from './problem.js';
import {originCard} from './origin.js';

const ACCEPT = 'image/jpeg,image/png';
const CAMERA_ERRORS = {NotAllowedError: 'denied', NotFoundError: 'missing', OverconstrainedError: 'missing'};

/** Where a photo comes from, and what to look at before it is asked about. */
export function photoView(app, {say, signal}) {
  return new PhotoView(app, say, signal).elements;
}

class PhotoView {
  #app;
  #i18n;
  #say;
  #signal;
  #stage = h('section', {class: 'stage'});
  elements;

  constructor(app, say, signal) {
    this.#app = app;
    this.#i18n = app.i18n;
    this.#say = say;
    this.#signal = signal;
    const {i18n} = app;
    this.elements = [
      h('h1', {tabindex: -1}, i18n.t('photo.title')),
      this.#stage,
      modelState(app, signal),
      originCard(i18n),
    ];
    this.#offer();
  }

  /** The ways to a photo. */
  #offer(problem = null) {
    const {privacy} = this.#app.settings.values;
    fill(this.#stage,
      problem,
      h('p', {class: 'lead'}, this.#i18n.t('photo.lead')),
      h('div', {class: 'ways'}, this.#cameraWay(), this.#fileWay('file', {})),
      h('p', {class: 'privacy-now'}, this.#i18n.t(`privacy.now.${privacy}`), ' ',
        h('a', {href: '#settings'}, this.#i18n.t('privacy.change'))));
  }

  #cameraWay() {
    if (!hasCamera()) return this.#fileWay('app', {capture: 'environment'}); // works on plain http, too
    const live = () => this.#live();
    return h('button', {class: 'primary way', onclick: live}, icon('camera'), this.#i18n.t('photo.camera'));
  }

  #fileWay(name, props) {
    const take = ({target}) => target.files[0] && this.#take(target.files[0]);
    const id = `input-${name}`;
    const input = h('input', {type: 'file', accept: ACCEPT, class: 'unseen', id, onchange: take, ...props});
    const label = h('label', {class: `button way ${name === 'app' ? 'primary' : ''}`, for: id},
      icon(name === 'app' ? 'camera' : 'file'), this.#i18n.t(`photo.${name}`));
    return h('span', {class: 'file-way'}, input, label);
  }

  async #live() {
    const video = h('video', {playsinline: true, muted: true, 'aria-label': this.#i18n.t('photo.live')});
    video.muted = true; // the attribute alone does not mute, and a phone then refuses to play
    const shoot = h('button', {class: 'primary', disabled: true}, icon('camera'), this.#i18n.t('photo.shoot'));
    const cancel = h('button', {}, this.#i18n.t('photo.cancel'));
    fill(this.#stage, h('div', {class: 'viewfinder'}, video), h('p', {class: 'lead'}, this.#i18n.t('photo.frame')),
      h('div', {class: 'actions'}, shoot, cancel));
    try {
      this.#aim(await Camera.open(video), shoot, cancel);
    } catch (error) {
      const why = CAMERA_ERRORS[error.name] ?? 'busy';
      this.#offer(h('p', {class: 'problem', role: 'alert'}, this.#i18n.t(`photo.camera-${why}`)));
    }
  }

  #aim(camera, shoot, cancel) {
    const close = () => camera.close();
    if (this.#signal.aborted) return close();
    this.#signal.addEventListener('abort', close);
    shoot.disabled = false;
    shoot.focus();
    shoot.addEventListener('click', async () => {
      const photo = await camera.shoot();
      close();
      await this.#take(photo);
    }, {once: true});
    cancel.addEventListener('click', () => {
      close();
      this.#offer();
    });
  }

  /** Prepares a photo, and goes on at once where there is nothing to say about it. */
  async #take(photo) {
    this.#busy(photo, 'photo.preparing');
    try {
      await this.#app.model.ready();
      const draft = await this.#app.workflow.prepare(photo);
      if (draft.prepared.quality.length || !draft.prepared.exact) this.#advise(draft);
      else await this.#run(draft);
    } catch (error) {
      this.#offer(problem(this.#i18n, error, 'photo.refused'));
    }
  }

  #advise(draft) {
    const hints = [...draft.prepared.quality.map(({code}) => code), ...(draft.prepared.exact ? [] : ['inexact'])];
    const on = h('button', {class: 'primary', onclick: () => this.#run(draft)}, this.#i18n.t('photo.predict'));
    const again = h('button', {onclick: () => this.#offer()}, this.#i18n.t('photo.another'));
    const title = h('h2', {tabindex: -1}, this.#i18n.t('photo.hints'));
    fill(this.#stage, this.#picture(draft.photo), h('div', {class: 'card hints'}, title,
      h('ul', {}, hints.map((code) => h('li', {}, icon('alert'), h('span', {}, this.#i18n.t(`hint.${code}`)))))),
    h('div', {class: 'actions'}, on, again));
    title.focus();
  }

  async #run(draft) {
    this.#busy(draft.photo, 'photo.asking');
    try {
      const {id} = await this.#app.workflow.run(draft);
      if (!this.#signal.aborted) location.hash = `result/${id}`;
    } catch (error) {
      this.#offer(problem(this.#i18n, error));
    }
  }

  #busy(photo, key) {
    const text = this.#i18n.t(key);
    this.#say(text);
    fill(this.#stage, this.#picture(photo), h('p', {class: 'busy'}, h('span', {class: 'spinner'}), text));
  }

  #picture(photo) {
    const address = URL.createObjectURL(photo);
    this.#signal.addEventListener('abort', () => URL.revokeObjectURL(address));
    return h('div', {class: 'viewfinder'}, h('img', {src: address, alt: this.#i18n.t('photo.chosen')}));
  }
}

/**
 * One line on the phone's model; more where something is wrong.
 * @param {import('../main.js').App} app
 * @param {AbortSignal} signal ends it
 * @returns {HTMLElement}
 */
function modelState({model, i18n}, signal) {
  const line = h('div', {class: 'model-state', 'aria-live': 'polite'});
  const tell = () => fill(line, ...(model.state === 'ready' ? ready(model, i18n) : notReady(model, i18n)));
  model.addEventListener('change', tell, {signal});
  tell();
  return line;
}

function ready({release, proof}, i18n) {
  const {manifest, artifact} = release;
  const parts = [`${manifest.name} ${manifest.version}`, artifact.precision, proof.runtime.accelerator];
  return [h('p', {}, h('span', {class: 'dot reachable'}), `${i18n.t('model.title')}: ${parts.join(' · ')}`)];
}

function notReady(model, i18n) {
  const text = i18n.t(`model.${model.state}`);
  if (model.state !== 'missing' && model.state !== 'failed') {
    return [h('p', {class: 'busy'}, h('span', {class: 'spinner'}), text)];
  }
  const retry = h('button', {onclick: () => (model.state === 'failed' ? location.reload() : model.update())},
    i18n.t('model.retry'));
  return [h('div', {class: 'card'},
    h('p', {class: 'strong'}, text),
    model.error && h('p', {}, reason(i18n, model.error)),
    h('div', {class: 'actions'}, retry))];
}
