"""What users do around their servers: labels, locks, groups, what is attached, what it cost."""

from typing import Any

import pytest
from openstack import exceptions
from tests.flows.test_launch import launch


@pytest.fixture(scope="module")
def server(demo: Any) -> Any:
    made = launch(demo)
    yield made
    demo.compute.delete_server(made)
    demo.compute.wait_for_delete(made, interval=0.05, wait=10)


def call(connection: Any, method: str, path: str, version: str = "2.1", **options: Any) -> Any:
    return connection.compute.request(path, method, microversion=version, **options)


def test_metadata(demo: Any, server: Any) -> None:
    path = f"/servers/{server.id}/metadata"
    assert call(demo, "PUT", path, json={"metadata": {"a": "1"}}).json() == {"metadata": {"a": "1"}}
    assert call(demo, "POST", path, json={"metadata": {"b": "2"}}).json() == {"metadata": {"a": "1", "b": "2"}}
    assert call(demo, "PUT", f"{path}/b", json={"meta": {"b": "3"}}).json() == {"meta": {"b": "3"}}
    assert call(demo, "PUT", f"{path}/b", json={"meta": {"c": "3"}}).status_code == 400
    assert call(demo, "PUT", f"{path}/b", json={"meta": {"b": "3", "c": "1"}}).status_code == 400
    assert call(demo, "POST", path, json={"metadata": {"x" * 256: "3"}}).status_code == 400
    assert call(demo, "POST", path, json={"metadata": None}).status_code == 400
    assert call(demo, "DELETE", f"{path}/a").status_code == 204
    assert call(demo, "DELETE", f"{path}/a").status_code == 404
    assert call(demo, "GET", f"{path}/a").status_code == 404
    assert call(demo, "GET", path).json() == {"metadata": {"b": "3"}}
    many = {str(number): "" for number in range(129)}
    assert call(demo, "PUT", path, json={"metadata": many}).status_code == 403


def test_tags(demo: Any, server: Any) -> None:
    path = f"/servers/{server.id}/tags"
    assert call(demo, "GET", path, "2.25").status_code == 404
    added = call(demo, "PUT", f"{path}/red", "2.26")
    assert (added.status_code, added.headers["Location"][-9:]) == (201, "/tags/red")
    assert call(demo, "PUT", f"{path}/red", "2.26").status_code == 204
    assert call(demo, "PUT", path, "2.26", json={"tags": ["blue", "blue", "green"]}).json() == {
        "tags": ["blue", "green"]
    }
    assert call(demo, "GET", f"{path}/red", "2.26").status_code == 404
    assert call(demo, "GET", f"{path}/blue", "2.26").status_code == 204
    assert call(demo, "PUT", f"{path}/a,b", "2.26").status_code == 400
    assert call(demo, "PUT", path, "2.26", json={"tags": [str(n) for n in range(51)]}).status_code == 400
    assert [found.id for found in demo.compute.servers(tags="blue,green")] == [server.id]
    assert call(demo, "DELETE", f"{path}/blue", "2.26").status_code == 204
    assert call(demo, "DELETE", path, "2.26").status_code == 204
    assert call(demo, "GET", path, "2.26").json() == {"tags": []}


def test_what_is_attached(demo: Any, server: Any) -> None:
    path = f"/servers/{server.id}"
    addresses = call(demo, "GET", f"{path}/ips").json()["addresses"]
    assert call(demo, "GET", f"{path}/ips/private").json() == addresses
    assert call(demo, "GET", f"{path}/ips/nowhere").status_code == 404
    (interface,) = call(demo, "GET", f"{path}/os-interface").json()["interfaceAttachments"]
    assert interface["fixed_ips"][0]["ip_address"] == addresses["private"][0]["addr"]
    assert interface["port_state"] == "ACTIVE"
    one = call(demo, "GET", f"{path}/os-interface/{interface['port_id']}", "2.70").json()
    assert one == {"interfaceAttachment": {**interface, "tag": None}}
    assert call(demo, "GET", f"{path}/os-interface/{server.id}").status_code == 404
    assert call(demo, "GET", f"{path}/os-volume_attachments").json() == {"volumeAttachments": []}
    assert call(demo, "GET", f"{path}/os-volume_attachments/{server.id}").status_code == 404


def test_attached_volumes_in_each_shape(demo: Any) -> None:
    image = demo.image.find_image("nephele-guest")
    device = {"boot_index": 0, "uuid": image.id, "source_type": "image", "destination_type": "volume"}
    device |= {"volume_size": 1, "delete_on_termination": True, "tag": "root"}
    server = launch(demo, image_id="", block_device_mapping=[device])
    path = f"/servers/{server.id}/os-volume_attachments"
    try:
        (old,) = call(demo, "GET", path).json()["volumeAttachments"]
        volume_id = server.attached_volumes[0]["id"]
        assert old == {"id": volume_id, "volumeId": volume_id, "serverId": server.id, "device": "/dev/vda"}
        (tagged,) = call(demo, "GET", path, "2.79").json()["volumeAttachments"]
        assert tagged == {**old, "tag": "root", "delete_on_termination": True}
        keep = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": False}}
        assert call(demo, "PUT", f"{path}/{volume_id}", "2.85", json=keep).status_code == 202
        assert call(demo, "GET", path, "2.79").json()["volumeAttachments"][0]["delete_on_termination"] is False
        renamed = {"volumeAttachment": {"volumeId": volume_id, "device": "/dev/vdz"}}
        assert call(demo, "PUT", f"{path}/{volume_id}", "2.85", json=renamed).status_code == 400
        swapped = {"volumeAttachment": {"volumeId": server.id}}
        assert call(demo, "PUT", f"{path}/{volume_id}", "2.85", json=swapped).status_code == 403
        new = call(demo, "GET", f"{path}/{volume_id}", "2.89").json()["volumeAttachment"]
        assert "id" not in new
        assert new["attachment_id"] in [
            found["attachment_id"] for found in demo.block_storage.get_volume(volume_id).attachments
        ]
    finally:
        demo.compute.delete_server(server)
        demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    assert demo.block_storage.wait_for_status(
        demo.block_storage.get_volume(volume_id), "available", interval=0.05, wait=10
    )
    demo.block_storage.delete_volume(volume_id)


def test_security_groups_of_a_server(demo: Any, server: Any) -> None:
    group = demo.network.create_security_group(name="web")

    def names() -> set[str]:
        found = call(demo, "GET", f"/servers/{server.id}/os-security-groups").json()["security_groups"]
        return {one["name"] for one in found}

    try:
        assert names() == {"default"}
        demo.compute.add_security_group_to_server(server, group)
        assert names() == {"default", "web"}
        demo.compute.remove_security_group_from_server(server, group)
        assert names() == {"default"}
        with pytest.raises(exceptions.NotFoundException):
            demo.compute.remove_security_group_from_server(server, group)
    finally:
        demo.network.delete_security_group(group)


def test_the_lock(demo: Any, admin: Any, server: Any) -> None:
    action = f"/servers/{server.id}/action"
    assert call(demo, "POST", action, "2.73", json={"lock": {"locked_reason": "mine"}}).status_code == 202
    shown = call(demo, "GET", f"/servers/{server.id}", "2.73").json()["server"]
    assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
    with pytest.raises(exceptions.ConflictException, match="locked"):
        demo.compute.stop_server(server)
    assert call(demo, "PUT", f"/servers/{server.id}/metadata/a", json={"meta": {"a": "1"}}).status_code == 409
    assert call(demo, "POST", action, json={"unlock": None}).status_code == 202
    assert call(admin, "POST", action, json={"lock": None}).status_code == 202
    assert call(demo, "POST", action, json={"unlock": None}).status_code == 403
    assert call(admin, "POST", action, json={"unlock": None}).status_code == 202


def test_groups_keep_servers_apart(demo: Any, admin: Any) -> None:
    body = {"server_group": {"name": "apart", "policy": "anti-affinity", "rules": {"max_server_per_host": 1}}}
    group = call(demo, "POST", "/os-server-groups", "2.64", json=body).json()["server_group"]
    servers = [launch(demo, scheduler_hints={"group": group["id"]}) for _ in range(3)]
    try:
        hosts = {admin.compute.get_server(server.id).compute_host for server in servers}
        assert len(hosts) == 3
        shown = call(demo, "GET", f"/os-server-groups/{group['id']}", "2.64").json()["server_group"]
        assert (shown["members"], shown["rules"]) == ([s.id for s in servers], {"max_server_per_host": 1})
        old = call(demo, "GET", f"/os-server-groups/{group['id']}").json()["server_group"]
        assert (old["policies"], old["metadata"], "project_id" in old) == (["anti-affinity"], {}, False)
        quota = {"quota_set": {"server_group_members": 3}}
        admin.compute.put(f"/os-quota-sets/{demo.current_project_id}", json=quota)
        with pytest.raises(exceptions.ForbiddenException, match="too many servers in group"):
            launch(demo, scheduler_hints={"group": group["id"]})
    finally:
        admin.compute.delete(f"/os-quota-sets/{demo.current_project_id}")
        for server in servers:
            demo.compute.delete_server(server)
            demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    assert call(demo, "DELETE", f"/os-server-groups/{group['id']}").status_code == 204
    assert call(demo, "GET", f"/os-server-groups/{group['id']}").status_code == 404


def test_extra_specs_are_checked_from_2_86_on(admin: Any) -> None:
    flavor = admin.compute.create_flavor(name="speced", ram=64, vcpus=1, disk=1)
    path, wrong = f"/flavors/{flavor.id}/os-extra_specs", {"extra_specs": {"hw:numa_nodes": "foo"}}
    try:
        assert call(admin, "POST", path, "2.86", json=wrong).status_code == 400
        assert call(admin, "POST", path, "2.85", json=wrong).status_code == 200
    finally:
        admin.compute.delete_flavor(flavor)


def test_what_a_group_may_be(demo: Any, admin: Any) -> None:
    soft = {"server_group": {"name": "soft", "policies": ["soft-affinity"]}}
    assert call(demo, "POST", "/os-server-groups", "2.14", json=soft).status_code == 400
    ruled = {"server_group": {"name": "ruled", "policy": "affinity", "rules": {"max_server_per_host": 2}}}
    assert call(demo, "POST", "/os-server-groups", "2.64", json=ruled).status_code == 400
    made = call(demo, "POST", "/os-server-groups", "2.15", json=soft).json()["server_group"]
    assert made["id"] in [
        g["id"] for g in call(admin, "GET", "/os-server-groups?all_projects=1").json()["server_groups"]
    ]
    assert call(demo, "GET", "/os-server-groups?offset=1&limit=5").json() == {"server_groups": []}
    try:
        admin.compute.put(f"/os-quota-sets/{demo.current_project_id}", json={"quota_set": {"server_groups": 1}})
        assert call(demo, "POST", "/os-server-groups", "2.15", json=soft).status_code == 403
    finally:
        admin.compute.delete(f"/os-quota-sets/{demo.current_project_id}")
        call(demo, "DELETE", f"/os-server-groups/{made['id']}")


def test_aggregates_make_zones(demo: Any, admin: Any) -> None:
    used = {found.compute_host for found in admin.compute.servers(all_projects=True)}
    hosts = [found for found in admin.compute.hypervisors(details=True) if found.service_details["host"] not in used]
    host = hosts[0]
    aggregate = admin.compute.create_aggregate(name="rack", availability_zone="east")
    try:
        admin.compute.add_host_to_aggregate(aggregate, host.service_details["host"])
        assert "east" in [zone.name for zone in demo.compute.availability_zones()]
        server = launch(demo, availability_zone="east")
        assert admin.compute.get_server(server.id).hypervisor_hostname == host.name
        uuid = call(admin, "GET", f"/os-aggregates/{aggregate.id}", "2.41").json()["aggregate"]["uuid"]
        provider = next(one for one in admin.placement.resource_providers() if one.name == host.name)
        inside = admin.placement.get(f"/resource_providers/{provider.id}/aggregates", microversion="1.19").json()
        assert inside["aggregates"] == [uuid]
        path = f"/os-aggregates/{aggregate.id}"
        assert call(admin, "PUT", path, json={"aggregate": {"availability_zone": "west"}}).status_code == 400
        assert call(admin, "DELETE", path).status_code == 400
        demo.compute.delete_server(server)
        demo.compute.wait_for_delete(server, interval=0.05, wait=10)
        other = admin.compute.create_aggregate(name="other", availability_zone="west")
        with pytest.raises(exceptions.ConflictException, match="east already"):
            admin.compute.add_host_to_aggregate(other, host.service_details["host"])
        admin.compute.delete_aggregate(other)
        changed = admin.compute.set_aggregate_metadata(aggregate, {"ssd": "true", "availability_zone": None})
        assert changed.metadata == {"ssd": "true"}
        assert call(demo, "GET", "/os-aggregates").status_code == 403
    finally:
        admin.compute.remove_host_from_aggregate(aggregate, host.service_details["host"])
        admin.compute.delete_aggregate(aggregate)


def test_usage(demo: Any, admin: Any, server: Any) -> None:
    project = demo.current_project_id
    (mine,) = call(admin, "GET", "/os-simple-tenant-usage?detailed=1").json()["tenant_usages"]
    assert mine["tenant_id"] == project
    found = {one["instance_id"]: one for one in mine["server_usages"]}
    assert found[server.id]["state"] == "active"
    assert found[server.id]["hours"] > 0
    assert mine["total_hours"] == pytest.approx(sum(one["hours"] for one in found.values()))
    path = f"/os-simple-tenant-usage/{project}"
    page = call(demo, "GET", f"{path}?limit=1", "2.40").json()
    assert len(page["tenant_usage"]["server_usages"]) == 1
    assert page["tenant_usage_links"][0]["rel"] == "next"
    assert call(demo, "GET", f"/os-simple-tenant-usage/{'0' * 32}").status_code == 403
    assert call(demo, "GET", f"{path}?start=2030-01-01&end=2029-01-01").status_code == 400


def test_the_old_version_and_its_extensions(demo: Any, server: Any) -> None:
    base = demo.compute.get_endpoint().split("/compute")[0] + "/compute"
    ids = [version["id"] for version in demo.session.get(f"{base}/").json()["versions"]]
    assert ids == ["v2.0", "v2.1"]
    assert demo.session.get(f"{base}/v2/servers/{server.id}").json()["server"]["id"] == server.id
    old = demo.session.get(f"{base}/v2/{demo.current_project_id}/servers/{server.id}")
    assert "OpenStack-API-Version" not in old.headers
    aliases = {one["alias"] for one in call(demo, "GET", "/extensions").json()["extensions"]}
    assert {"os-aggregates", "os-keypairs", "os-lock-server"} <= aliases
    assert call(demo, "GET", "/extensions/os-keypairs").json()["extension"]["name"] == "Keypairs"
    assert call(demo, "GET", "/extensions/os-nothing").status_code == 404


def test_security_groups_in_novas_words(demo: Any) -> None:
    path = "/os-security-groups"
    assert call(demo, "GET", path, "2.36").status_code == 404
    made = call(demo, "POST", path, json={"security_group": {"name": "old", "description": "d"}}).json()
    group = made["security_group"]
    assert group["rules"] == []
    rule = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    created = call(demo, "POST", "/os-security-group-rules", json={"security_group_rule": rule}).json()
    assert created["security_group_rule"]["ip_range"] == {"cidr": "0.0.0.0/0"}
    bad = {**rule, "from_port": 23}
    assert call(demo, "POST", "/os-security-group-rules", json={"security_group_rule": bad}).status_code == 400
    assert call(demo, "GET", f"{path}/{group['id']}").json()["security_group"]["rules"] == [
        created["security_group_rule"]
    ]
    assert call(demo, "DELETE", f"/os-security-group-rules/{created['security_group_rule']['id']}").status_code == 202
    assert call(demo, "DELETE", f"{path}/{group['id']}").status_code == 202
    assert call(demo, "GET", f"{path}/{group['id']}").status_code == 404


def test_addresses_in_one_spelling(demo: Any, server: Any) -> None:
    path = f"/servers/{server.id}"
    changed = call(demo, "PUT", path, json={"server": {"accessIPv6": "0:0:0::babe:220.12.22.2"}}).json()["server"]
    assert changed["accessIPv6"] == "::babe:dc0c:1602"
    assert call(demo, "PUT", path, json={"server": {"accessIPv4": "::1"}}).status_code == 400


def test_a_host_with_servers_is_not_forgotten(demo: Any, admin: Any, server: Any) -> None:
    host = admin.compute.get_server(server.id).compute_host
    (service,) = [one for one in admin.compute.services() if one.host == host]
    with pytest.raises(exceptions.ConflictException):
        admin.compute.delete_service(service)
    assert call(admin, "DELETE", f"/os-services/{server.id}", "2.53").status_code == 404


def test_images_in_novas_words(demo: Any) -> None:
    image = demo.image.find_image("nephele-guest")
    assert call(demo, "GET", "/images", "2.36").status_code == 404
    shown = call(demo, "GET", f"/images/{image.id}").json()["image"]
    assert (shown["status"], shown["progress"], shown["OS-EXT-IMG-SIZE:size"]) == ("ACTIVE", 100, image.size)
    assert [one["id"] for one in call(demo, "GET", "/images/detail?name=nephele-guest").json()["images"]] == [image.id]
    assert call(demo, "GET", "/images/nothing").status_code == 404
    mine = demo.image.create_image("mine", data=b"x", disk_format="raw", container_format="bare", wait=True)
    path = f"/images/{mine.id}/metadata"
    try:
        assert call(demo, "PUT", path, json={"metadata": {"a": "1", "b": "2"}}).json()["metadata"] == {
            "a": "1",
            "b": "2",
        }
        assert call(demo, "PUT", f"{path}/b", json={"meta": {"b": "3"}}).json() == {"meta": {"b": "3"}}
        assert call(demo, "POST", path, json={"metadata": {"c": "4"}}).status_code == 200
        assert call(demo, "DELETE", f"{path}/a").status_code == 204
        assert call(demo, "GET", path).json() == {"metadata": {"b": "3", "c": "4"}}
        assert call(demo, "GET", f"{path}/a").status_code == 404
    finally:
        assert call(demo, "DELETE", f"/images/{mine.id}").status_code == 204
    assert call(demo, "GET", f"/images/{mine.id}").status_code == 404


def test_hosts_and_hypervisors_of_old(demo: Any, admin: Any, server: Any) -> None:
    host = admin.compute.get_server(server.id).compute_host
    compute = [one for one in call(admin, "GET", "/os-hosts").json()["hosts"] if one["service"] == "compute"]
    assert host in [one["host_name"] for one in compute]
    rows = {r["resource"]["project"]: r["resource"] for r in call(admin, "GET", f"/os-hosts/{host}").json()["host"]}
    assert rows["(used_now)"]["memory_mb"] >= rows[server.project_id]["memory_mb"] > 0
    assert call(admin, "GET", f"/os-hosts/{host}/reboot").status_code == 501
    assert call(admin, "GET", "/os-hosts/nowhere").status_code == 404
    assert call(admin, "PUT", f"/os-hosts/{host}", json={"status": "disable"}).json()["status"] == "disabled"
    assert call(admin, "PUT", f"/os-hosts/{host}", json={"status": "enable"}).json()["status"] == "enabled"
    assert call(admin, "GET", "/os-hosts", "2.43").status_code == 404
    total = call(admin, "GET", "/os-hypervisors/statistics").json()["hypervisor_statistics"]
    assert total["count"] == 3
    assert total["running_vms"] >= 1
    found = call(admin, "GET", "/os-hypervisors/sim/servers").json()["hypervisors"]
    assert server.id in [one["uuid"] for hypervisor in found for one in hypervisor.get("servers", [])]
    assert call(demo, "GET", "/os-hypervisors/statistics").status_code == 403


def test_networks_in_novas_words(demo: Any) -> None:
    found = {one["label"]: one for one in call(demo, "GET", "/os-tenant-networks").json()["networks"]}
    assert {"private", "public"} <= set(found)
    network = found["private"]
    assert call(demo, "GET", f"/os-tenant-networks/{network['id']}").json() == {"network": network}
    assert call(demo, "GET", "/os-tenant-networks/none").status_code == 404
    assert call(demo, "GET", "/os-tenant-networks", "2.36").status_code == 404


def test_administrators_name_the_host(demo: Any, admin: Any) -> None:
    network = demo.network.find_network("private")
    body = {
        "name": "here",
        "image_id": demo.image.find_image("nephele-guest").id,
        "flavor_id": demo.compute.find_flavor("m1.nano").id,
        "networks": [{"uuid": network.id}],
        "availability_zone": "nova:sim-002",
    }
    with pytest.raises(exceptions.ForbiddenException):
        demo.compute.create_server(**body)
    with pytest.raises(exceptions.BadRequestException, match="nowhere"):
        admin.compute.create_server(**{**body, "availability_zone": "nova:nowhere"})
    made = admin.compute.wait_for_server(admin.compute.create_server(**body), interval=0.05, wait=20)
    try:
        assert (made.compute_host, made.availability_zone) == ("sim-002", "nova")
    finally:
        admin.compute.delete_server(made)
        admin.compute.wait_for_delete(made, interval=0.05, wait=10)


def test_old_quotas_are_kept(admin: Any, demo: Any) -> None:
    path = f"/os-quota-sets/{demo.current_project_id}"
    try:
        body = {"quota_set": {"floating_ips": 7, "injected_files": 2, "cores": 30}}
        changed = call(admin, "PUT", path, json=body).json()["quota_set"]
        assert (changed["floating_ips"], changed["injected_files"], changed["cores"]) == (7, 2, 30)
        assert "floating_ips" not in call(admin, "GET", path, "2.36").json()["quota_set"]
    finally:
        call(admin, "DELETE", path)
    assert call(admin, "GET", path).json()["quota_set"]["floating_ips"] == -1
