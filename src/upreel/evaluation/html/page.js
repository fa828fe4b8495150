"use strict";
for (const figure of document.querySelectorAll("figure.compare")) {
  const stage = figure.querySelector(".stage");
  const images = [...stage.querySelectorAll("img")];
  const range = stage.querySelector("input");
  const choices = [...figure.querySelectorAll("select")];
  const show = () => {
    const [left, right] = choices.map((choice) => Number(choice.value));
    images.forEach((image, index) => {
      image.classList.toggle("right", index === right);
      image.classList.toggle("left", index === left && index !== right);
    });
    if (left === right) images[left].className = "left";
  };
  const move = () => {
    stage.style.setProperty("--at", range.value + "%");
    range.setAttribute("aria-valuetext", "divider at " + Math.round(range.value) + " percent");
  };
  for (const choice of choices) choice.addEventListener("change", show);
  range.addEventListener("input", move);
  show();
  move();
}
