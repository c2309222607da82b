(() => {
  "use strict";
  const paper = 690;  // pixels between the margins of a printed page
  const plots = [...document.querySelectorAll(".plot")];
  const ink = () => getComputedStyle(document.body).color;
  for (const place of plots) {
    const told = JSON.parse(document.getElementById("data-" + place.id).textContent);
    told.layout.font = { ...told.layout.font, color: ink() };
    Plotly.newPlot(place, told.data, told.layout, { responsive: true, displaylogo: false, displayModeBar: "hover" });
  }
  const paint = (changes) => plots.forEach((place) => Plotly.relayout(place, { "font.color": ink(), ...changes }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint({}));
  matchMedia("print").addEventListener("change", (now) => paint(now.matches ? { width: paper, "font.color": "#000" } : { width: null, autosize: true }));

  const pick = document.getElementById("pick");
  const choose = (number) => {
    const wanted = document.getElementById("trial-" + number);
    if (!wanted) return;
    for (const model of document.querySelectorAll(".model")) model.hidden = model !== wanted;
    if (pick) pick.value = String(number);
  };
  if (pick) {
    pick.addEventListener("change", () => choose(pick.value));
    choose(pick.value);
  }
  const front = document.getElementById("front-plot");
  if (front) front.on("plotly_click", (event) => {
    const number = event.points.map((point) => point.customdata).find((known) => known !== undefined);
    if (number !== undefined) choose(number);
  });
})();
