from nephele.web.metrics import BOUNDS, Metrics, family


def test_requests_are_counted_by_service_method_and_status() -> None:
    metrics = Metrics()
    for seconds, status in ((0.0004, 200), (0.0005, 200), (0.3, 404), (60, 200)):
        metrics.observe("compute", "GET", status, seconds)
    lines = list(metrics.lines())
    assert 'nephele_http_requests_total{service="compute",method="GET",status="200"} 3' in lines
    assert 'nephele_http_requests_total{service="compute",method="GET",status="404"} 1' in lines
    buckets = [line for line in lines if line.startswith("nephele_http_request_duration_seconds_bucket")]
    assert [int(line.split()[-1]) for line in buckets] == [2] * BOUNDS.index(0.5) + [3] * 4 + [4]
    assert 'nephele_http_request_duration_seconds_sum{service="compute",method="GET"} 60.3009' in lines
    assert lines[-1] == 'nephele_http_request_duration_seconds_count{service="compute",method="GET"} 4'


def test_labels_are_escaped() -> None:
    line = list(family("a", "gauge", "b", {(("name", 'x"\\\n'),): 1}))[-1]
    assert line == 'a{name="x\\"\\\\\\n"} 1'
