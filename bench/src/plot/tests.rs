use super::*;
use roxmltree::Document;

fn plot() -> Plot {
    let point = |x, y| PlotPoint {
        x,
        y,
        extremes: Some((y * 0.9, y * 1.1)),
    };
    let curve = |name: &str, dashed, factor: f64| Curve {
        name: name.into(),
        dashed,
        points: [(1.0, 10.0), (8.0, 80.0), (64.0, 640.0)]
            .map(|(x, y)| point(x, y * factor))
            .to_vec(),
    };
    Plot {
        name: "a-plot".into(),
        title: "Latency & <clients>".into(),
        x: Axis {
            label: "clients".into(),
            scale: Scale::Steps(vec![1.0, 8.0, 64.0]),
        },
        y: Axis {
            label: "p50 (µs)".into(),
            scale: Scale::Logarithmic,
        },
        curves: vec![
            curve("rounds (virtual)", false, 1.0),
            curve("vr (real)", true, 2.0),
        ],
    }
}

/// All texts of an SVG.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
    let nodes = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    nodes
        .filter_map(|node| Some(node.text()?.trim().to_owned()))
        .collect()
}

#[test]
fn the_svg_is_xml_with_every_label_every_curve_and_every_step() {
    let texts = texts(&svg(&plot()).unwrap());
    for expected in [
        "Latency & <clients>",
        "clients",
        "p50 (µs)",
        "rounds (virtual)",
        "vr (real)",
        "1",
        "8",
        "64",
        "10",
        "100",
    ] {
        assert!(
            texts.iter().any(|text| text == expected),
            "{expected}: {texts:?}"
        );
    }
}

#[test]
fn each_point_has_a_marker_of_its_curves_colour() {
    let svg = svg(&plot()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let with = |tag: &str, colour: &str| {
        let is = |node: &roxmltree::Node<'_, '_>| {
            node.has_tag_name(tag) && node.attribute("fill") == Some(colour)
        };
        document.descendants().filter(is).count()
    };
    // Three points and the legend.
    assert_eq!(with("circle", "#0072B2"), 4);
    assert_eq!(with("polygon", "#D55E00"), 4);
}

#[test]
fn values_stand_where_they_belong() {
    let mut straight = plot();
    straight.curves.truncate(1);
    let svg = svg(&straight).unwrap();
    let document = Document::parse(&svg).unwrap();
    let number = |node: &roxmltree::Node<'_, '_>, name: &str| {
        node.attribute(name).unwrap().parse::<f64>().unwrap()
    };
    let places: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("circle"))
        .map(|node| (number(&node, "cx"), number(&node, "cy")))
        .collect();
    // Equal steps to the right, equal ratios upwards; the fourth is the legend's.
    let [a, b, c, _] = places[..] else {
        panic!("{places:?}")
    };
    assert!(((b.0 - a.0) - (c.0 - b.0)).abs() <= 1.0, "{places:?}");
    assert!(b.0 > a.0 && b.1 < a.1, "{places:?}");
    assert!(((b.1 - a.1) - (c.1 - b.1)).abs() <= 1.0, "{places:?}");
}

#[test]
fn plots_that_cannot_be_are_refused_with_the_value() {
    let mut empty = plot();
    empty.curves.clear();
    assert_eq!(
        svg(&empty).unwrap_err().to_string(),
        "plot a-plot has no points"
    );
    let mut zero = plot();
    zero.curves[0].points[1].extremes = Some((0.0, 80.0));
    assert_eq!(
        svg(&zero).unwrap_err().to_string(),
        "plot a-plot: 0 cannot stand on the axis \"p50 (µs)\""
    );
    let mut beside = plot();
    beside.curves[0].points[1].x = 7.0;
    let error = svg(&beside).unwrap_err().to_string();
    assert!(
        error.contains("7 cannot stand on the axis \"clients\""),
        "{error}"
    );
}
