import {s} from '../lib/dom.js';

const ICONS = {
  camera: 'M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
  file: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9a.6.6 0 1 0 0-.01',
  history: 'M12 4a8 8 0 1 1-7.5 5.2M4 4v5.2h5.2M12 8v4.5l3 2',
  settings: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h2M10 12h10M8 10v4',
  phone: 'M8 3h8v18H8zM11 18h2',
  jetson: 'M6 6h12v12H6zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4',
  yes: 'M5 12.5l4.5 4.5L19 7.5',
  no: 'M6 6l12 12M18 6L6 18',
  alert: 'M12 4l9 16H3zM12 10v4.5M12 17v.5',
  wait: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2',
};

/**
 * A drawing beside words; it says nothing by itself.
 * @param {keyof ICONS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return s('svg', {class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true'}, s('path', {d: ICONS[name]}));
}
